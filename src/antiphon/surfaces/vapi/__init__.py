"""The REST API in Vapi's shape: who asks, bodies, errors, lists, and the documents of an organisation."""
