"""The `lensnas` command line, one module per command group."""
