package api

import (
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

const (
	headerRequestID = "X-Request-Id"
	keyRequestID    = "slipway.request_id"
	keyToken        = "slipway.token"
	keyBody         = "slipway.body"
)

// A proxy's request id is kept when it cannot do harm in a log line or a header.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identify gives the request an id and logs its end.
func (s *server) identify(c *gin.Context) {
	id := c.GetHeader(headerRequestID)
	if !saneRequestID.MatchString(id) {
		id = uuid.NewString()
	}
	c.Set(keyRequestID, id)
	c.Header(headerRequestID, id)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store")

	started := time.Now()
	c.Next()
	took := time.Since(started)
	s.count(c, took)
	s.Logger.Log(c.Request.Context(), accessLevel(c), "Request served",
		"method", c.Request.Method, "path", c.Request.URL.Path, "status", c.Writer.Status(), "bytes", c.Writer.Size(),
		"duration", took, "request_id", id, "token", tokenOf(c).Name)
}

func accessLevel(c *gin.Context) slog.Level {
	switch {
	case isWatch(c):
		return slog.LevelDebug
	case c.Writer.Status() >= http.StatusInternalServerError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// recover turns a panic into a problem that tells the client nothing but the request's id, and the log everything.
func (s *server) recover(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, and wants it back
			panic(cause)
		}
		s.Logger.ErrorContext(c.Request.Context(), "Handler panicked", "cause", cause, "request_id", c.GetString(keyRequestID), "stack", string(debug.Stack()))
		c.Abort()
		if !c.Writer.Written() {
			s.write(c, errInternal)
		}
	}()
	c.Next()
}
