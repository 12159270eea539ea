"""The HTTP service behind `framelens serve`; `framelens.serve.app.create_app` makes it for any ASGI server.

Needs the extra: ``pip install 'framelens[serve]'``.
"""
