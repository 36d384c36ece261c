"""Our own HTTP server around the MLflow model: MLflow's protocol, OpenAI's completions, scores, next words, metrics, and a page."""
