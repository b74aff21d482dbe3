"""Captures of real traffic and real configurations, judged beside naive scores and peers in the same run."""
