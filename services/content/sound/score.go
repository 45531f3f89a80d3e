package sound

// piece is one sound of the catalogue.
type piece struct {
	code string
	// seconds is its length. That of a loop divides the practices that use it, so that they end where it ends.
	seconds  int
	channels int
	loop     bool
	compose  func(*take)
}

func (p piece) info() Info {
	return Info{
		DurationSeconds: float64(p.seconds), SampleRate: rate, Channels: p.channels, ContentType: ContentType, Loop: p.loop,
	}
}

// score is the list of all sounds: first what is rung at the beginning and the end, then what loops.
func score() []piece {
	return []piece{
		{"bowl_deep", 30, 1, false, bowlDeep},
		{"bowl_bright", 20, 1, false, bowlBright},
		{"chimes", 15, 1, false, chimes},
		{"bells_slow", 60, 1, true, bellsSlow},
		{"bells_minute", 60, 1, true, bellsMinute},
		{"breath_tide", 30, 1, true, breathTide},
		{"breath_square", 48, 1, true, breathSquare},
		{"steps", 30, 1, true, stepsSlow},
		{"tones_soft", 30, 2, true, tonesSoft},
		{"pad_warm", 30, 2, true, padWarm},
		{"rain", 30, 1, true, rain},
		{"waves", 30, 1, true, waves},
		{"wind", 30, 1, true, wind},
		{"night", 30, 1, true, night},
		{"brown_noise", 20, 1, true, brownNoise},
	}
}
