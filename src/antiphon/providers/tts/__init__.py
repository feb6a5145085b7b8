"""Voices, one thin file each; engines that synthesise here do it in worker processes."""
