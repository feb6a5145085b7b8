"""What we tell applications over HTTP: signed, checked where it goes, in order, and durable where it must arrive."""
