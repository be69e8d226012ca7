"""Studies over HTTP: the API, the supervisor that runs them, and what keeps both safe."""
