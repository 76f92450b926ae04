"""One HTTP client: bytes pushed into the caller as they arrive, over pooled HTTP/1.1 connections."""
