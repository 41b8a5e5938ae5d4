namespace Kvorum.Server;

/// <summary>A member of the cluster as the server knows it: its name, its id, and where its peers reach it.</summary>
/// <param name="PeerUrl">Null while nobody has told.</param>
internal sealed record ServerMember(string Name, ulong Node, Uri? PeerUrl);
