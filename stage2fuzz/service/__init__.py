"""What coordinator and workers share."""
