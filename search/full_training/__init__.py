"""Full training: a chosen architecture of a study by a full recipe, which may take days."""
