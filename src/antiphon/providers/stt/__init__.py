"""Speech-to-text engines and vendors, one thin file each; engines that decode here do it in worker processes."""
