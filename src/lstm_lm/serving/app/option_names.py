"""What generation options are called in OpenAI's protocol, for the server and its clients."""

NAMES = {"max_words": "max_tokens", "samples": "n"}  # all others have their own names
