<?php

/**
 * Signs in, shows what the token may do, places an order, reads it back and cancels it.
 *
 *     PROPUSK_SECRET=... php orders.php
 */

declare(strict_types=1);

const TIMEOUT_SECONDS = 10;

/** The service said no. Decide by the reason: it is stable, the message is for people. */
final class ApiException extends RuntimeException
{
    public function __construct(public readonly int $httpStatus, ?array $status)
    {
        $reason = "HTTP_$httpStatus";
        foreach ($status['details'] ?? [] as $detail) {
            if (str_ends_with($detail['@type'] ?? '', '/google.rpc.ErrorInfo')) {
                $reason = $detail['reason'];
            }
        }
        $this->reason = $reason;
        parent::__construct($reason . ': ' . ($status['message'] ?? 'no Status in the answer'));
    }

    public readonly string $reason;
}

final class Client
{
    public ?string $token = null;

    public function __construct(private readonly string $url)
    {
    }

    /** Sends a request and returns the JSON of its answer. */
    public function call(string $method, string $path, ?array $body = null): array
    {
        $headers = ['Content-Type: application/json'];
        if ($this->token !== null) {
            $headers[] = "Authorization: Bearer $this->token";
        }
        $curl = curl_init($this->url . $path);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => TIMEOUT_SECONDS,
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
        }
        $text = curl_exec($curl);
        if ($text === false) {
            throw new RuntimeException(curl_error($curl));
        }
        $httpStatus = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        // Whatever stands in between, such as a proxy, may answer with something else than JSON.
        $answer = json_decode($text, true);
        if ($httpStatus !== 200 || !is_array($answer)) {
            throw new ApiException($httpStatus, is_array($answer) ? $answer : null);
        }
        return $answer;
    }
}

function main(): void
{
    $secret = getenv('PROPUSK_SECRET') ?: throw new RuntimeException('PROPUSK_SECRET is not set');
    $client = new Client(getenv('PROPUSK_URL') ?: 'http://127.0.0.1:8080');
    $client->token = $client->call('POST', '/v1/sessions', ['secret' => $secret])['token'];

    $details = $client->call('POST', '/v1/sessions/details', ['token' => $client->token]);
    $minutes = intdiv(strtotime($details['expires_at']) - time(), 60);
    printf("Token: %d minutes left, until %s\n", $minutes, $details['expires_at']);
    $rights = $details['readonly'] ? 'read only' : 'may trade';
    printf("Accounts: %s (%s)\n", implode(', ', $details['account_ids']), $rights);
    printf("Market data: %d permissions\n", count($details['md_permissions']));

    $account = getenv('PROPUSK_ACCOUNT') ?: $details['account_ids'][0];
    $orders = '/v1/accounts/' . rawurlencode($account) . '/orders';
    $placed = $client->call('POST', $orders, [
        'symbol' => 'SBER@MISX',
        // Decimals are text, so that nothing is lost in a float.
        'quantity' => ['value' => '10'],
        'side' => 'SIDE_BUY',
        'type' => 'ORDER_TYPE_LIMIT',
        'time_in_force' => 'TIME_IN_FORCE_DAY',
        'limit_price' => ['value' => '150.5'],
        // At most 20 characters. Sent again with the same id, the order is not placed twice.
        'client_order_id' => bin2hex(random_bytes(10)),
    ]);
    $id = $placed['order_id'];
    printf("Order %s: placed, %s\n", $id, $placed['status']);

    $path = $orders . '/' . rawurlencode($id);
    $read = $client->call('GET', $path);
    $order = $read['order'];
    printf(
        "Order %s: read, %s %s %s at %s, %s left\n",
        $id,
        $order['side'],
        $order['quantity']['value'],
        $order['symbol'],
        $order['limit_price']['value'],
        $read['remaining_quantity']['value'],
    );

    $cancelled = $client->call('DELETE', $path);
    printf("Order %s: cancelled, %s\n", $id, $cancelled['status']);
}

try {
    main();
} catch (RuntimeException | JsonException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
