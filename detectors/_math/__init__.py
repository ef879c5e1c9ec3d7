"""Small folds the detectors share; each is exact, bounded and pickles."""
