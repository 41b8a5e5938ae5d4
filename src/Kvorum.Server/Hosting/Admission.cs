using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>Finds out who this node is: from its directory, from its flags, or from the cluster it joins.</summary>
internal sealed class Admission(ServerOptions options, ILogger logger, TimeProvider time)
{
    /// <exception cref="IOException">
    /// The directory is another node's, or the cluster refuses this node or is not reached.
    /// </exception>
    public async Task<MemberNote> DecideAsync(CancellationToken cancel)
    {
        if (MemberNote.Load(options.DataPath) is { } note)
        {
            return Continue(note);
        }

        var made = options switch
        {
            _ when options.JoinUrls.Count > 0 => await new JoinQuestion(options, logger, time).AskAsync(cancel)
                .ConfigureAwait(false),
            _ when options.IsExistingCluster && HoldsNothing() => await new PeerQuestion(options, logger, time)
                .AskAsync(cancel).ConfigureAwait(false),
            _ => InitialNote(),
        };
        made.Save(options.DataPath);
        return made;
    }

    /// <summary>The directory knows better than the flags; what cannot both be true is refused.</summary>
    private MemberNote Continue(MemberNote note)
    {
        if (note.Name != options.Name)
        {
            throw new IOException(
                $"{options.DataPath}: expected the data of node {options.Name}, found that of node {note.Name} "
                + $"(id {note.Node:x16}) of cluster {note.ClusterId:x16}. Each node needs a data directory of its own; "
                + $"to go on as that node, say --name {note.Name}.");
        }

        if (note.Token is { } token && options.JoinUrls.Count == 0 && token != options.InitialClusterToken)
        {
            throw new IOException(
                $"{options.DataPath}: expected the data of a cluster with the token '{options.InitialClusterToken}', "
                + $"found that of node {note.Name} of cluster {note.ClusterId:x16} with the token '{token}'. Use "
                + "another --data-dir for another cluster.");
        }

        if (note.Token is not null && note.Members.Count > 0
            && ServerIdentity.ClusterId(note.Token, options.InitialCluster) != note.ClusterId)
        {
            logger.InitialClusterIgnored(note.Name, note.ClusterId.ToString("x16", null));
        }

        return note;
    }

    private MemberNote InitialNote()
    {
        var token = options.InitialClusterToken;
        return new MemberNote(
            options.Name,
            ServerIdentity.NodeId(token, options.Name),
            ServerIdentity.ClusterId(token, options.InitialCluster),
            token,
            [
                .. options.InitialCluster
                    .OrderBy(member => member.Name, StringComparer.Ordinal)
                    .Select(member => new ServerMember(
                        member.Name, ServerIdentity.NodeId(token, member.Name), member.PeerUrl)),
            ]);
    }

    private bool HoldsNothing() =>
        !Directory.Exists(options.DataPath) || !Directory.EnumerateFileSystemEntries(options.DataPath).Any();
}
