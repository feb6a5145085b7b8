"""What the outside world calls over HTTP. Each surface translates its own wire shapes at its own edge."""
