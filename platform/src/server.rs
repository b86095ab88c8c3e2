//! Listening, serving, and stopping without dropping what is under way.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::Handle;
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioTimer;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::tls::Tls;

/// How long requests that are under way may go on once the process was told to stop.
const DRAIN: Duration = Duration::from_secs(8);
/// A client that has not sent its whole request head by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The buffer that a request head has to fit, in bytes; `http::MAX_HEADERS` is the exact limit.
const MAX_HEAD: usize = 32 * 1024;

/// Tells everything to stop, and waits for it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    pub token: CancellationToken,
    pub tasks: TaskTracker,
}

impl Shutdown {
    /// Runs `work` every `period` until the process stops.
    pub fn every<F, W>(&self, period: Duration, mut work: W)
    where
        W: FnMut() -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let token = self.token.clone();
        self.tasks.spawn(async move {
            while token.run_until_cancelled(tokio::time::sleep(period)).await.is_some() {
                work().await;
            }
        });
    }
}

/// Binds an address now, so that "already in use" is said before anything else starts.
///
/// # Errors
/// The system's, with the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let explain = |error: io::Error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "another program is using this address".to_owned(),
            io::ErrorKind::PermissionDenied => "this user may not use this address".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {reason}"))
    };
    let listener = TcpListener::bind(address).map_err(explain)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves `router` on every listener until `shutdown`, then drains; by https with `tls`.
///
/// # Errors
/// When a listener cannot be handed to the runtime, or the certificate cannot be used.
pub fn serve(
    listeners: Vec<TcpListener>,
    router: &Router,
    tls: Option<&Tls>,
    shutdown: &Shutdown,
) -> io::Result<()> {
    let acceptor = tls.map(|tls| tls.acceptor(shutdown)).transpose().map_err(io::Error::other)?;
    for listener in listeners {
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(listener)?.handle(handle.clone());
        server
            .http_builder()
            .http1()
            // Answers are small: one buffer is sent faster than a list of them.
            .writev(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEAD);
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        // Telling HTTP/2 apart would wait for bytes without a limit of time. Proxies speak HTTP/1 here.
        let mut serving: BoxFuture<'static, io::Result<()>> = match acceptor.clone() {
            Some(acceptor) => Box::pin(server.acceptor(acceptor).http1_only().serve(service)),
            None => Box::pin(server.http1_only().serve(service)),
        };
        let token = shutdown.token.clone();
        shutdown.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = &mut serving => ended,
                () = token.cancelled() => {
                    handle.graceful_shutdown(Some(DRAIN));
                    serving.await
                }
            };
            if let Err(error) = ended {
                tracing::error!(%error, "a listener ended");
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn who_says_nothing_or_half_a_head_is_cut_off() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::default();
        serve(vec![listener], &Router::new(), None, &shutdown).unwrap();
        let silent = ["", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
        let cut = silent.map(|sent| {
            tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(sent.as_bytes()).unwrap();
                stream.set_read_timeout(Some(HEADER_TIMEOUT + Duration::from_secs(5))).unwrap();
                // An answer that says so, or none: but an end.
                stream.read_to_end(&mut Vec::new()).map_err(|error| format!("{sent:?}: {error}"))
            })
        });
        for ended in cut {
            ended.await.unwrap().unwrap();
        }
        shutdown.token.cancel();
    }
}
