//! The HTTP server of the metrics: one thread, few connections, and little patience with each.

use std::{
    collections::VecDeque, convert::Infallible, io, net::TcpListener, sync::Arc, thread,
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, task, time};

/// Connections at a time; the oldest gives way to one more.
const MOST: usize = 16;
/// How long a connection may last, from the first byte asked to the last one answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a request may take up.
const REQUEST: usize = 8 * 1024;
/// After no connection could be taken, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers GET `/metrics` with what `page` returns, on a thread of its own.
///
/// # Errors
/// When the system gives no thread or descriptor.
pub(super) fn serve(
    listener: TcpListener,
    page: impl Fn() -> String + Send + Sync + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _in_runtime = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let page: Arc<dyn Fn() -> String + Send + Sync> = Arc::new(page);
    thread::Builder::new()
        .name("tftpd-metrics".into())
        .spawn(move || runtime.block_on(accept(listener, page)))?;
    Ok(())
}

type Page = Arc<dyn Fn() -> String + Send + Sync>;

async fn accept(listener: tokio::net::TcpListener, page: Page) {
    let mut latest = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let page = Arc::clone(&page);
                let answering = tokio::spawn(async move {
                    // A client that is too slow is a client that is gone.
                    let _ = time::timeout(PATIENCE, answer(stream, page)).await;
                });
                latest.push_back(answering);
                // Most are over long before that, and nothing happens to them.
                if latest.len() > MOST
                    && let Some(oldest) = latest.pop_front()
                {
                    oldest.abort();
                }
                // Whoever has asked already is answered before the next one is taken.
                task::yield_now().await;
            }
            Err(error) => {
                tracing::debug!(%error, "no connection for the metrics");
                time::sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, page: Page) {
    let service = service_fn(|request| {
        let response = respond(&request, &*page);
        async { Ok::<_, Infallible>(response) }
    });
    let result = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .max_buf_size(REQUEST)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = result {
        tracing::debug!(%error, "a request for the metrics failed");
    }
}

fn respond(request: &Request<Incoming>, page: &dyn Fn() -> String) -> Response<Full<Bytes>> {
    let (status, header, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, (CONTENT_TYPE, OPEN_METRICS), page())
        }
        (&Method::GET | &Method::HEAD, _) => {
            let text = "The metrics are at /metrics.\n";
            (StatusCode::NOT_FOUND, (CONTENT_TYPE, "text/plain"), text.into())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"), String::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header.0, hyper::header::HeaderValue::from_static(header.1));
    response
}
