"""The worker: Celery tasks that carry out orders, each in a confined process of its own."""
