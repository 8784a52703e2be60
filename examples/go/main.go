// Signs in, shows what the token may do, places an order, reads it back and cancels it.
//
//	PROPUSK_SECRET=... go run .
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// APIError is an answer by which the service says no. Decide by the reason: it is stable, the message
// is for people.
type APIError struct {
	HTTPStatus int
	Reason     string
	Message    string
}

func (e *APIError) Error() string { return e.Reason + ": " + e.Message }

// Decimal is text, so that nothing is lost in a float.
type Decimal struct {
	Value string `json:"value"`
}

type TokenDetails struct {
	ExpiresAt     time.Time         `json:"expires_at"`
	MDPermissions []json.RawMessage `json:"md_permissions"`
	AccountIDs    []string          `json:"account_ids"`
	Readonly      bool              `json:"readonly"`
}

type Order struct {
	Symbol        string   `json:"symbol"`
	Quantity      *Decimal `json:"quantity"`
	Side          string   `json:"side"`
	Type          string   `json:"type"`
	TimeInForce   string   `json:"time_in_force"`
	LimitPrice    *Decimal `json:"limit_price"`
	ClientOrderID string   `json:"client_order_id"`
}

type OrderState struct {
	OrderID           string  `json:"order_id"`
	Status            string  `json:"status"`
	Order             Order   `json:"order"`
	RemainingQuantity Decimal `json:"remaining_quantity"`
}

// Client calls the service with the token, once it has one.
type Client struct {
	URL   string
	Token string
	HTTP  http.Client
}

// Call sends a request, with a body unless that is nil, and decodes the answer into out.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return apiError(resp)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func apiError(resp *http.Response) error {
	var status struct {
		Message string `json:"message"`
		Details []struct {
			Type   string `json:"@type"`
			Reason string `json:"reason"`
		} `json:"details"`
	}
	// Whatever stands in between, such as a proxy, may answer with something else than JSON: then
	// the HTTP status is all there is to tell.
	_ = json.NewDecoder(resp.Body).Decode(&status)
	told := &APIError{
		HTTPStatus: resp.StatusCode,
		Reason:     fmt.Sprintf("HTTP_%d", resp.StatusCode),
		Message:    cmp.Or(status.Message, resp.Status),
	}
	for _, detail := range status.Details {
		if strings.HasSuffix(detail.Type, "/google.rpc.ErrorInfo") {
			told.Reason = detail.Reason
		}
	}
	return told
}

func run(ctx context.Context) error {
	secret := os.Getenv("PROPUSK_SECRET")
	if secret == "" {
		return errors.New("PROPUSK_SECRET is not set")
	}
	client := &Client{
		URL:  cmp.Or(os.Getenv("PROPUSK_URL"), "http://127.0.0.1:8080"),
		HTTP: http.Client{Timeout: 10 * time.Second},
	}

	var session struct {
		Token string `json:"token"`
	}
	credentials := map[string]string{"secret": secret}
	if err := client.Call(ctx, http.MethodPost, "/v1/sessions", credentials, &session); err != nil {
		return err
	}
	client.Token = session.Token

	var details TokenDetails
	if err := client.Call(ctx, http.MethodPost, "/v1/sessions/details", session, &details); err != nil {
		return err
	}
	minutes := int(time.Until(details.ExpiresAt).Minutes())
	fmt.Printf("Token: %d minutes left, until %s\n", minutes, details.ExpiresAt.Format(time.RFC3339))
	rights := "may trade"
	if details.Readonly {
		rights = "read only"
	}
	fmt.Printf("Accounts: %s (%s)\n", strings.Join(details.AccountIDs, ", "), rights)
	fmt.Printf("Market data: %d permissions\n", len(details.MDPermissions))

	account := cmp.Or(os.Getenv("PROPUSK_ACCOUNT"), details.AccountIDs[0])
	return trade(ctx, client, account)
}

// trade places an order, reads it back and cancels it.
func trade(ctx context.Context, client *Client, account string) error {
	orders := "/v1/accounts/" + url.PathEscape(account) + "/orders"
	order := Order{
		Symbol:      "SBER@MISX",
		Quantity:    &Decimal{"10"},
		Side:        "SIDE_BUY",
		Type:        "ORDER_TYPE_LIMIT",
		TimeInForce: "TIME_IN_FORCE_DAY",
		LimitPrice:  &Decimal{"150.5"},
		// At most 20 characters. Sent again with the same id, the order is not placed twice.
		ClientOrderID: rand.Text()[:20],
	}
	var placed, read, cancelled OrderState
	if err := client.Call(ctx, http.MethodPost, orders, order, &placed); err != nil {
		return err
	}
	fmt.Printf("Order %s: placed, %s\n", placed.OrderID, placed.Status)

	path := orders + "/" + url.PathEscape(placed.OrderID)
	if err := client.Call(ctx, http.MethodGet, path, nil, &read); err != nil {
		return err
	}
	fmt.Printf("Order %s: read, %s %s %s at %s, %s left\n", read.OrderID, read.Order.Side,
		read.Order.Quantity.Value, read.Order.Symbol, read.Order.LimitPrice.Value,
		read.RemainingQuantity.Value)

	if err := client.Call(ctx, http.MethodDelete, path, nil, &cancelled); err != nil {
		return err
	}
	fmt.Printf("Order %s: cancelled, %s\n", cancelled.OrderID, cancelled.Status)
	return nil
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
