//! openidconnect's HTTP client, over reqwest: no redirects, limits on time and size.

use std::{path::Path, pin::Pin, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use platform::tls;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 512 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Http(reqwest::Client);

#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    #[error("the answer failed with status {0}")]
    Status(u16),
}

impl Http {
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            // A token request that followed a redirect would carry the client's secret to a stranger.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(5));
        let client = tls::trusting(client, ca_file)?.build();
        client.map(Self).map_err(|error| format!("cannot make an HTTP client: {error}"))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        // A 5xx is a fault of the provider or what stands before it, whatever its body looks like.
        if answer.status().is_server_error() {
            return Err(HttpError::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
