"""What holds when all else fails: arming, emergency stop, guardian, wiping."""
