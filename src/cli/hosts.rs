//! The options of `bitstap proxy` that are about host names: which one the server is asked for, and what
//! becomes of those that it names to clients.

use clap::ValueEnum;

use crate::relay::{self, HostField, Steering};

/// Host names on their way through the proxy.
#[derive(Debug, clap::Args)]
pub(super) struct HostArgs {
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
    pub(super) fn steering(self) -> Steering {
        let leaks = match self.leaks {
            Leaks::Rewrite => relay::Leaks::Rewrite,
            Leaks::Report => relay::Leaks::Report,
            Leaks::Pass => relay::Leaks::Pass,
        };
        Steering::new(leaks, self.host)
    }
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
