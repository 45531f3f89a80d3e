package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// ErrRunning says that another program uses the same data folder.
var ErrRunning = errors.New("already running")

// lockFolder keeps a second program out of the folder for as long as this one lives. The lock is on the folder itself and ends with the process.
func lockFolder(dir string) (*os.File, error) {
	folder, err := os.Open(dir) //nolint:gosec // the folder that was asked for
	if err != nil {
		return nil, fmt.Errorf("data folder: %w; change its permissions, or choose another data folder", err)
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		folder.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
		}
		pid, readErr := readFile(dir, pidFile)
		if readErr != nil || pid == "" {
			pid = "unknown"
		}
		return nil, fmt.Errorf("%w (pid %s) with the data folder %s: stop it, or choose another data folder", ErrRunning, pid, dir)
	}
	if err := writeFile(dir, pidFile, strconv.Itoa(os.Getpid())+"\n"); err != nil {
		unlock(folder)
		return nil, fmt.Errorf("data folder %s: %w; change its permissions, or choose another data folder", dir, err)
	}
	return folder, nil
}

// waitForFolder is a lock on a folder that several programs use in turn.
func waitForFolder(ctx context.Context, dir string) (*os.File, error) {
	folder, err := os.Open(dir) //nolint:gosec // our cache
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			folder.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			folder.Close()
			return nil, fmt.Errorf("another program uses %s: %w", dir, ctx.Err())
		case <-timer.C:
		}
	}
}

// unlock lets the next one in. To close the folder would do, were there not moments in which a process that is just being started has it open too.
func unlock(folder *os.File) {
	// It fails only for what is not locked.
	_ = syscall.Flock(int(folder.Fd()), syscall.LOCK_UN)
	folder.Close()
}
