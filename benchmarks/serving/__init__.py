"""The real server under load, beside bare Flask applications that send a body back."""
