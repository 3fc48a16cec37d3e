//! The proxies that ours is compared with.

use std::path::Path;

use crate::process::{Process, free_port};

pub(crate) fn nginx(sink: u16, dir: &Path) -> (Process, u16) {
    let port = free_port();
    let config = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_max_body_size 0; keepalive_requests 10000000; tcp_nodelay on;\n\
         client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n\
         uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
         upstream sink {{ server 127.0.0.1:{sink}; keepalive 16; keepalive_requests 10000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://sink;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_request_buffering off; proxy_buffering off; }} }} }}\n",
        dir = dir.display()
    );
    let path = dir.join("nginx.conf");
    std::fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let args = ["-c", path.as_str()];
    (Process::foreign("/usr/sbin/nginx", &args, port), port)
}

pub(crate) fn haproxy(sink: u16, dir: &Path) -> (Process, u16) {
    let port = free_port();
    let config = format!(
        "global\n nbthread 1\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n \
         timeout server 60s\nfrontend f\n bind 127.0.0.1:{port}\n default_backend b\n\
         backend b\n server s 127.0.0.1:{sink}\n"
    );
    let path = dir.join("haproxy.cfg");
    std::fs::write(&path, config).expect("a file");
    let path = path.display().to_string();
    let args = ["-db", "-f", path.as_str()];
    (Process::foreign("/usr/sbin/haproxy", &args, port), port)
}
