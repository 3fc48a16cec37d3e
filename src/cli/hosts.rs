//! The options of `bitstap proxy` that are about which server requests go to: routes, the forward proxy and
//! the one behind, which host the server is asked for, and what becomes of those that it names to clients.

use std::sync::Arc;

use clap::ValueEnum;

use crate::relay::{self, Config, Credentials, Forward, HostField, Hosts, Route, Steering, Via};

use super::address;

/// Which server requests go to.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hosts")]
pub(super) struct HostArgs {
    /// Send requests for this host to that server, whatever --upstream is; HOST may be *.DOMAIN or *; repeatable
    #[arg(long, value_name = "HOST[:PORT]=URL", value_parser = address::route)]
    route: Vec<Route>,
    /// Be a forward proxy, too: take requests with whole URLs, and CONNECT, for whatever server they name
    #[arg(long)]
    forward: bool,
    /// What is said to this host inside CONNECT passes unread; HOST may be *.DOMAIN or *; repeatable
    #[arg(long, value_name = "HOST[:PORT]", value_parser = address::hosts, requires = "forward")]
    tunnel: Vec<Hosts>,
    /// Let only clients use the forward proxy that give this user and password (Basic)
    #[arg(long, value_name = "USER:PASSWORD", env = "BITSTAP_PROXY_AUTH", hide_env_values = true, value_parser = address::credentials, requires = "forward")]
    proxy_auth: Option<Credentials>,
    /// Reach all servers through this proxy: http://[USER:PASSWORD@]HOST:PORT
    #[arg(long, value_name = "URL", env = "BITSTAP_UPSTREAM_PROXY", hide_env_values = true, value_parser = address::via)]
    upstream_proxy: Option<Via>,
    /// Fields that lead clients away from the proxy (BITS-Host-Id, absolute BITS-Reply-URL and Location, absolute request targets)
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Leaks::Rewrite)]
    leaks: Leaks,
    /// Host field towards the server: keep (as the client wrote it), upstream, or a name with or without a port
    #[arg(long, value_name = "HOST", default_value = "keep", value_parser = host)]
    host: HostField,
}

/// What becomes of fields that lead away.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Leaks {
    /// They lead to the proxy, which sends the client's next requests where they led
    Rewrite,
    /// They stay; a warning says where the client goes
    Report,
    /// They stay, and nobody looks at them: with `--host keep`, heads are not touched at all
    Pass,
}

impl HostArgs {
    /// Says what whoever reaches the proxy can do with it.
    pub(super) fn lends(&self) -> &'static str {
        match (self.forward, &self.proxy_auth) {
            (true, None) => {
                "everybody who reaches it can use this proxy to reach any server that this machine reaches, and \
                 is taken for it there; --proxy-auth USER:PASSWORD lets in only who knows them"
            }
            (true, Some(_)) => {
                "everybody who reaches it and knows user and password can use this proxy; both come unencrypted"
            }
            (false, _) => "everybody who reaches it can use this proxy",
        }
    }

    /// Tells whether no request goes anywhere by these alone.
    pub(super) fn leads_nowhere(&self) -> bool {
        !self.forward && self.route.is_empty()
    }

    /// Adds the options to `config`.
    pub(super) fn apply(self, config: Config) -> Config {
        let leaks = match self.leaks {
            Leaks::Rewrite => relay::Leaks::Rewrite,
            Leaks::Report => relay::Leaks::Report,
            Leaks::Pass => relay::Leaks::Pass,
        };
        Config {
            routes: self.route,
            forward: self.forward.then_some(Forward {
                tunnel: self.tunnel,
                credentials: self.proxy_auth,
            }),
            via: self.upstream_proxy,
            steering: Some(Arc::new(Steering::new(leaks, self.host))),
            ..config
        }
    }
}

/// Says where the requests of `config` go, for a title.
pub(super) fn destination(config: &Config, upstream: Option<&str>) -> String {
    let mut places: Vec<String> = upstream.map(str::to_owned).into_iter().collect();
    match config.routes.as_slice() {
        [] => {}
        [one] => places.push(format!("{} to {}", one.hosts, one.to.url())),
        routes => places.push(format!("{} routes", routes.len())),
    }
    if config.forward.is_some() {
        places.push("any server".to_owned());
    }
    if let Some(via) = &config.via {
        places.push(format!("through {}", via.proxy.place()));
    }
    places.join(", ")
}

/// Reads `keep`, `upstream` or a host.
fn host(text: &str) -> Result<HostField, String> {
    match text {
        "keep" => Ok(HostField::Keep),
        "upstream" => Ok(HostField::Upstream),
        name => {
            let authority: http::uri::Authority = name
                .parse()
                .map_err(|error| format!("`{name}` is not a host: {error}"))?;
            if name.contains('@') || authority.host().is_empty() {
                return Err(format!("`{name}` is not a host, with or without a port"));
            }
            Ok(HostField::Name(name.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_word_or_a_name() {
        assert_eq!(host("keep"), Ok(HostField::Keep));
        assert_eq!(host("upstream"), Ok(HostField::Upstream));
        let named = |name: &str| Ok(HostField::Name(name.to_owned()));
        assert_eq!(host("iis.corp:8080"), named("iis.corp:8080"));
        assert_eq!(host("[::1]:80"), named("[::1]:80"));
        for wrong in ["", "a b", "http://a", "u@a", "a/b", "a\r\nX: y"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
