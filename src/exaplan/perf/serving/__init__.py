"""Time and memory of one iteration of an inference engine: pure scalar functions, compiled and looped."""
