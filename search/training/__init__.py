"""Brief training: recipes, losses, closed-form initialisation and the loop."""
