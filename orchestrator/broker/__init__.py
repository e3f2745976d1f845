"""What carries messages: Celery over a folder, Redis or SQS."""
