"""What a customer is worth and whether it stays: purchase models, and risk times value."""
