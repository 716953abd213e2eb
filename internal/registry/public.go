package registry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Public is the API of the registry that FROM means when it names none: where it answers, public images can be had.
const Public = "https://registry-1.docker.io/v2/"

// answerWithin is how long a registry may take to answer whether it is there.
const answerWithin = 4 * time.Second

// Answers returns nil when an image registry that wants a token answers at the URL of its API, as every public one does. A proxy
// that answers in its place is none.
func Answers(ctx context.Context, url string) error {
	return answers(ctx, url, http.StatusUnauthorized)
}

// AnswersAnyone returns nil when an image registry answers there, whether it wants a token or not.
func AnswersAnyone(ctx context.Context, url string) error {
	return answers(ctx, url, http.StatusUnauthorized, http.StatusOK)
}

func answers(ctx context.Context, url string, statuses ...int) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if slices.Contains(statuses, response.StatusCode) {
		return nil
	}
	return fmt.Errorf("%s answers %s, which no image registry does", url, response.Status)
}
