"""Studies as they grow, whoever runs them: read from their storage, and what is wanted of them."""
