package main

import (
	"io"
	"os"

	"github.com/sirupsen/logrus"
)

// newLog returns the log: text on a terminal, JSON otherwise.
func newLog(c *cli, w io.Writer) *logrus.Entry {
	log := logrus.New()
	log.SetOutput(w)
	if level, err := logrus.ParseLevel(c.LogLevel); err == nil {
		log.SetLevel(level)
	}
	if c.LogFormat == "json" || c.LogFormat == "auto" && !terminal(w) {
		log.SetFormatter(&logrus.JSONFormatter{})
	} else {
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: !terminal(w)})
	}
	return logrus.NewEntry(log)
}

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func warn(log *logrus.Entry, warnings []string) {
	for _, w := range warnings {
		log.Warn(w)
	}
}
