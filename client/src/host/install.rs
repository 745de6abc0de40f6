//! What `sshd` and systemd have to be told: printed, or written where they look.

use std::path::Path;

use super::config::HostConfig;
use super::targets::{Etcd, Nginx, PostgreSql, Server};

/// The drop-in for `sshd`, as a file below `/etc/ssh/sshd_config.d`. `program` is where this program
/// stands, `file` the agent's configuration.
///
/// Roles come from the agent's configuration through `AuthorizedPrincipalsCommand`, or with `is_static`
/// from one file for each account in `principals/` below the agent's directory.
#[must_use]
pub fn drop_in(config: &HostConfig, program: &Path, file: &Path, is_static: bool) -> String {
    let (dir, program, file) = (config.dir.display(), program.display(), file.display());
    let principals = if is_static {
        format!("AuthorizedPrincipalsFile {dir}/principals/%u\n")
    } else {
        format!(
            "AuthorizedPrincipalsCommand {program} host principals --config {file} %u %i %s\n\
             AuthorizedPrincipalsCommandUser nobody\n"
        )
    };
    format!(
        "# Written by `breakglass host install`. Whoever the broker of {} certifies may log in by\n\
         # role; without the list in RevokedKeys sshd lets nobody in by key.\n\
         TrustedUserCAKeys {dir}/ca.pub\n\
         RevokedKeys {dir}/krl\n\
         {principals}\
         # Tells a session's processes which certificate opened it, so that the agent can end it.\n\
         ExposeAuthInfo yes\n",
        config.target
    )
}

/// The unit for systemd.
#[must_use]
pub fn unit(config: &HostConfig, program: &Path, file: &Path) -> String {
    let state = config.state_dir.display();
    let written: Vec<String> = places(config).map(|dir| dir.display().to_string()).collect();
    let dirs = written.join(" ");
    format!(
        "# Written by `breakglass host install`.\n\
         [Unit]\n\
         Description=breakglass agent: revocation lists and sessions of this host\n\
         Wants=network-online.target\n\
         After=network-online.target\n\n\
         [Service]\n\
         ExecStart={} host run --config {}\n\
         Restart=always\n\
         RestartSec=1\n\
         # It ends other people's sessions and reads their environment: root, with nothing else.\n\
         CapabilityBoundingSet=CAP_KILL CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE\n\
         NoNewPrivileges=yes\n\
         ProtectSystem=strict\n\
         ProtectHome=read-only\n\
         ReadWritePaths={dirs} {state}\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
         MemoryDenyWriteExecute=yes\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        program.display(),
        file.display()
    )
}

/// Directories that the agent writes lists to.
fn places(config: &HostConfig) -> impl Iterator<Item = &Path> {
    let sshd = config.has_sshd.then_some(config.dir.as_path());
    let tls = config.tls.iter().filter_map(|target| match &target.server {
        Server::PostgreSql(server) => Some(server.crl_dir.as_path()),
        Server::Nginx(server) => server.crl.parent(),
        Server::Etcd(server) => server.crl.parent(),
    });
    sshd.into_iter().chain(tls)
}

/// What PostgreSQL has to be told; `ca` is the file of the authority.
#[must_use]
pub fn postgresql(server: &PostgreSql, ca: &Path) -> String {
    format!(
        "# Written by `breakglass host install`: copy what you need.\n\
         # postgresql.conf; ssl_crl_dir and not ssl_crl_file, which is read at a reload only. Every\n\
         # authority in ssl_ca_file needs a list in that directory, or its clients are refused.\n\
         ssl = on\n\
         ssl_ca_file = '{}'\n\
         ssl_crl_dir = '{}'\n\
         log_connections = on\n\
         # pg_hba.conf\n\
         #   hostssl all breakglass_admin 0.0.0.0/0 cert map=bg\n\
         #   local all breakglass_agent peer map=bg-agent\n\
         # pg_ident.conf\n\
         #   bg /^bg-req-[0-9a-f-]+-[a-z0-9.-]+$ breakglass_admin\n\
         #   bg-agent root breakglass_agent\n\
         # once, as a superuser (the agent cannot end sessions of superusers):\n\
         #   create role breakglass_admin login;\n\
         #   create role breakglass_agent login in role pg_read_all_stats, pg_signal_backend;\n",
        ca.display(),
        server.crl_dir.display()
    )
}

/// What nginx has to be told; `ca` is the file of the authority. `log_format` belongs to `http`, the
/// rest to each `server`.
#[must_use]
pub fn nginx(server: &Nginx, ca: &Path) -> String {
    let log = server.access_log.as_ref().map_or_else(String::new, |log| {
        format!(
            "# in http:\n\
             #   log_format breakglass '$msec $ssl_client_verify $ssl_client_serial \
             \"$ssl_client_i_dn\"';\n\
             #   access_log {} breakglass;\n",
            log.display()
        )
    });
    format!(
        "# Written by `breakglass host install`: include it in each `server` with TLS.\n\
         # At the top of nginx.conf, so that workers of before a reload end: worker_shutdown_timeout 10s;\n\
         {log}\
         ssl_client_certificate {};\n\
         ssl_verify_client on;\n\
         ssl_crl {};\n\
         # A session kept by either would outlive its certificate.\n\
         ssl_session_cache none;\n\
         ssl_session_tickets off;\n",
        ca.display(),
        server.crl.display()
    )
}

/// What etcd has to be told, as its environment: a file for `--config-file` has no word for the list.
/// `ca` is the file of the authority.
#[must_use]
pub fn etcd(server: &Etcd, ca: &Path) -> String {
    format!(
        "# Written by `breakglass host install`: belongs into /etc/default/etcd. etcd reads the list with\n\
         # each connection; what is open goes on, and a list that ran out goes on to count. Without the\n\
         # file, or with an empty one, nobody gets in: start the agent first.\n\
         ETCD_CLIENT_CERT_AUTH=true\n\
         ETCD_TRUSTED_CA_FILE={}\n\
         ETCD_CLIENT_CRL_FILE={}\n",
        ca.display(),
        server.crl.display()
    )
}
