"""A range for container telemetry: a real Docker Engine, real registries, a small estate, benign emulations."""
