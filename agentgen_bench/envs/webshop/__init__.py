"""WebShop: shopping by request."""
