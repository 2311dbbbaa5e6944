"""gRPC: the server, the Open Inference Protocol and the typed services."""
