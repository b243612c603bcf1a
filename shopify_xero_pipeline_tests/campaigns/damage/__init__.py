"""The state store damaged in every way there is, and whether that is noticed before anything is sent."""
