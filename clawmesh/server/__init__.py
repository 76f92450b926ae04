"""An HTTP/1.1 server for ASGI applications in which every connection has deadlines and bounds."""
