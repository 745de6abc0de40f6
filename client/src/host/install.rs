//! What `sshd` and systemd have to be told: printed, or written where they look.

use std::path::Path;

use super::config::HostConfig;

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
    let (dir, state) = (config.dir.display(), config.state_dir.display());
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
         ReadWritePaths={dir} {state}\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
         MemoryDenyWriteExecute=yes\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        program.display(),
        file.display()
    )
}
