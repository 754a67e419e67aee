"""The service that keeps running: drops come in, jobs run side by side, people ask how it goes."""
