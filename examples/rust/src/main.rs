//! Signs in, shows what the token may do, places an order, reads it back and cancels it.
//!
//!     PROPUSK_SECRET=... cargo run

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fmt, process::ExitCode};

use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The service said no. Decide by the reason: it is stable, the message is for people.
#[derive(Debug)]
struct ApiError {
    reason: String,
    message: String,
}

impl ApiError {
    /// From the `google.rpc.Status` of an answer; null when it had none.
    fn new(http_status: StatusCode, status: &Value) -> Self {
        let details = status["details"].as_array().into_iter().flatten();
        let is_info = |detail: &&Value| {
            detail["@type"]
                .as_str()
                .is_some_and(|name| name.ends_with("/google.rpc.ErrorInfo"))
        };
        let reason = details
            .filter(is_info)
            .find_map(|info| info["reason"].as_str());
        let message = status["message"]
            .as_str()
            .unwrap_or("no Status in the answer");
        Self {
            reason: reason.map_or(format!("HTTP_{}", http_status.as_u16()), String::from),
            message: message.to_owned(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl Error for ApiError {}

#[derive(Deserialize)]
struct Session {
    token: String,
}

#[derive(Deserialize)]
struct TokenDetails {
    expires_at: Timestamp,
    md_permissions: Vec<Value>,
    account_ids: Vec<String>,
    readonly: bool,
}

/// Text, so that nothing is lost in a float.
#[derive(Serialize, Deserialize)]
struct Decimal {
    value: String,
}

impl From<&str> for Decimal {
    fn from(text: &str) -> Self {
        let value = text.to_owned();
        Self { value }
    }
}

#[derive(Serialize, Deserialize)]
struct Order {
    symbol: String,
    quantity: Decimal,
    side: String,
    r#type: String,
    time_in_force: String,
    limit_price: Decimal,
    /// At most 20 characters. Sent again with the same id, the order is not placed twice.
    client_order_id: String,
}

#[derive(Deserialize)]
struct OrderState {
    order_id: String,
    status: String,
    order: Order,
    remaining_quantity: Decimal,
}

/// Sends a request and reads the JSON of its answer.
async fn call<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Box<dyn Error>> {
    let response = request.send().await?;
    let http_status = response.status();
    if http_status.is_success() {
        return Ok(response.json().await?);
    }
    // Whatever stands in between, such as a proxy, may answer with something else than JSON.
    let status = response.json().await.unwrap_or(Value::Null);
    Err(ApiError::new(http_status, &status).into())
}

/// The address of a path, whose segments are escaped.
fn address(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("an http address")
        .extend(segments);
    url
}

async fn run() -> Result<(), Box<dyn Error>> {
    let base = env::var("PROPUSK_URL")
        .unwrap_or("http://127.0.0.1:8080".to_owned())
        .parse()?;
    let secret = env::var("PROPUSK_SECRET").map_err(|_| "PROPUSK_SECRET is not set")?;
    let client = Client::builder().timeout(TIMEOUT).build()?;

    let sessions = address(&base, &["v1", "sessions"]);
    let Session { token } = call(client.post(sessions).json(&json!({ "secret": secret }))).await?;

    let details = address(&base, &["v1", "sessions", "details"]);
    let details: TokenDetails = call(client.post(details).json(&json!({ "token": token }))).await?;
    let minutes = details
        .expires_at
        .duration_since(Timestamp::now())
        .as_mins();
    println!(
        "Token: {minutes} minutes left, until {}",
        details.expires_at
    );
    let rights = if details.readonly {
        "read only"
    } else {
        "may trade"
    };
    println!("Accounts: {} ({rights})", details.account_ids.join(", "));
    println!("Market data: {} permissions", details.md_permissions.len());

    let account = match env::var("PROPUSK_ACCOUNT") {
        Ok(account) => account,
        Err(_) => details.account_ids[0].clone(),
    };
    let orders = address(&base, &["v1", "accounts", &account, "orders"]);
    let order = Order {
        symbol: "SBER@MISX".into(),
        quantity: "10".into(),
        side: "SIDE_BUY".into(),
        r#type: "ORDER_TYPE_LIMIT".into(),
        time_in_force: "TIME_IN_FORCE_DAY".into(),
        limit_price: "150.5".into(),
        client_order_id: format!(
            "{:x}",
            SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos()
        ),
    };
    let authorized = |method, url| client.request(method, url).bearer_auth(&token);
    let placed: OrderState = call(authorized(Method::POST, orders.clone()).json(&order)).await?;
    println!("Order {}: placed, {}", placed.order_id, placed.status);

    let this = address(&orders, &[&placed.order_id]);
    let OrderState {
        order_id,
        order,
        remaining_quantity,
        ..
    } = call(authorized(Method::GET, this.clone())).await?;
    let wanted = format!("{} {} {}", order.side, order.quantity.value, order.symbol);
    let left = remaining_quantity.value;
    println!(
        "Order {order_id}: read, {wanted} at {}, {left} left",
        order.limit_price.value
    );

    let cancelled: OrderState = call(authorized(Method::DELETE, this)).await?;
    println!("Order {order_id}: cancelled, {}", cancelled.status);
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else {
        return ExitCode::SUCCESS;
    };
    eprint!("{error}");
    // What a network error says itself is only where it happened.
    let mut source = error.source();
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
    ExitCode::FAILURE
}
