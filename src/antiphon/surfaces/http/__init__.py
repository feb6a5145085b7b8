"""What all HTTP routes share, one copy of each: the application, errors, Bearer keys, JSON answers. (Bodies: ``transports/http_body``.)"""
