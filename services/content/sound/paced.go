package sound

// This file holds the sounds that set a pace, for breath or for steps.

// breathTide is a tone to breathe with, three times: it rises for four seconds, to breathe in, and falls for six, to breathe out.
func breathTide(t *take) {
	n := t.samples()
	var pitch, level, air []point
	for start := 0.0; start < 30; start += 10 {
		pitch = append(pitch, point{start, 164.8}, point{start + 4, 220}, point{start + 10, 164.8})
		level = append(level, point{start, 0}, point{start + 4, 1}, point{start + 5, 0.9}, point{start + 9.6, 0}, point{start + 10, 0})
		air = append(air, point{start, 0}, point{start + 3.6, 1}, point{start + 4.4, 0.8}, point{start + 9, 0}, point{start + 10, 0})
	}
	bend, envelope := curve(n, pitch...), curve(n, level...)
	voice := make(layer, n)
	for _, p := range []partial{{ratio: 1, gain: 1}, {ratio: 1.5, gain: 0.5}, {ratio: 2, gain: 0.35}, {ratio: 3, gain: 0.12}} {
		voice.glide(bend, p.ratio, p.gain, envelope)
	}
	t.put(voice, 0, 1, 0)
	breath := noise(11, n).lowPass(1400).highPass(300).times(curve(n, air...))
	t.put(breath, 0, 0.5, 0)
}

// breathSquare is four counts of four seconds, three times over: a rising tone to breathe in, a still one to stay, a falling one to
// breathe out, and silence to rest. A light bar marks each corner.
func breathSquare(t *take) {
	n := t.samples()
	const begin, low, high = 0.25, 130.8, 196.2
	var pitch, level []point
	for start := begin; start < 48; start += 16 {
		pitch = append(pitch, point{start, low}, point{start + 4, high}, point{start + 8, high}, point{start + 12, low}, point{start + 15.9, low})
		level = append(level, point{start, 0}, point{start + 1.5, 0.8}, point{start + 4, 1}, point{start + 5, 0.45},
			point{start + 7.5, 0.45}, point{start + 8.5, 0.9}, point{start + 12, 0}, point{start + 15.7, 0})
		for i, note := range []float64{392, 587.3, 587.3, 392} {
			t.put(strike(bar(), note, 3), start+4*float64(i), 0.35, 0)
		}
	}
	bend, envelope := curve(n, pitch...), curve(n, level...)
	voice := make(layer, n)
	for _, p := range []partial{{ratio: 1, gain: 1}, {ratio: 1.5, gain: 0.5}, {ratio: 2, gain: 0.4}, {ratio: 3, gain: 0.15}} {
		voice.glide(bend, p.ratio, p.gain, envelope)
	}
	t.put(voice, 0, 1, 0)
}

// stepsSlow is a tap on wood every second and a half, low and high in turn, and a small bowl every ten steps.
func stepsSlow(t *take) {
	for i := range 20 {
		pitch := 392.0
		if i%2 == 1 {
			pitch = 466.2
		}
		t.put(strike(wood(), pitch, 1), 0.5+1.5*float64(i), 0.9, 0)
	}
	for _, at := range []float64{0.5, 15.5} {
		t.put(strike(bowl(), 293.7, 14), at, 0.45, 0)
	}
}
