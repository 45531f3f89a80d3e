package sound

// point is a value at an instant, in seconds.
type point struct{ at, value float64 }

// ease goes smoothly from 0 at 0 to 1 at 1: 3x² − 2x³.
func ease(x float64) float64 { return x * x * (3 - float64(2*x)) }

// curve is the smooth line of n samples through the points, level before the first and after the last.
func curve(n int, points ...point) layer {
	line := make(layer, n)
	next := 0
	for i := range line {
		now := float64(i) / rate
		for next < len(points) && points[next].at <= now {
			next++
		}
		switch next {
		case 0:
			line[i] = points[0].value
		case len(points):
			line[i] = points[next-1].value
		default:
			from, to := points[next-1], points[next]
			line[i] = from.value + float64((to.value-from.value)*ease((now-from.at)/(to.at-from.at)))
		}
	}
	return line
}

// sway is a wave of n samples between two values, with a whole number of turns, so that it loops; phase is in turns, 0 to 1.
func sway(n, turns int, phase, low, high float64) layer {
	o := newOscillator(float64(turns)*rate/float64(n), phase)
	wave := make(layer, n)
	for i := range wave {
		wave[i] = low + float64((high-low)*(0.5+float64(0.5*o.next())))
	}
	return wave
}
