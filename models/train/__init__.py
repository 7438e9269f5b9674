"""Scripts that made the model files, the sample, the goldens and the fixtures."""
