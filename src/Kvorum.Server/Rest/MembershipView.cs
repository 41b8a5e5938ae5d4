using System.Security.Cryptography;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Server.Rest;

/// <summary>The membership as this node sees it, by name and address.</summary>
internal sealed class MembershipView(ServerContext context)
{
    /// <summary>How long an answer waits so that it shows its own change.</summary>
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(1);

    /// <summary>The key of the confirming read; whether it exists does not matter.</summary>
    private static readonly RangeQuery Probe = new(new byte[] { 0 }, default) { CountOnly = true };

    /// <summary>An id for a new node: never 0, and never one that was there before.</summary>
    public static ulong DrawNodeId()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return Math.Max(1, BitConverter.ToUInt64(bytes));
    }

    /// <summary>Waits until this node knows every change acknowledged before, anywhere (thesis §6.4).</summary>
    /// <exception cref="ReadTimeoutException">No quorum confirmed it in time.</exception>
    public async Task CatchUpAsync(Consistency consistency, TimeSpan timeout, CancellationToken cancel)
    {
        if (consistency is Consistency.Linearizable)
        {
            await context.Kvorum.ReadAsync(Probe, consistency, timeout, cancel).ConfigureAwait(false);
        }
    }

    public async Task TryCatchUpAsync(CancellationToken cancel)
    {
        try
        {
            await CatchUpAsync(Consistency.Linearizable, CatchUpMax, cancel).ConfigureAwait(false);
        }
        catch (KvorumException)
        {
            // The change is made; the answer shows what this node knows by now.
        }
    }

    public MemberAddress? Find(string name) => Addresses().FirstOrDefault(address => address.Name == name);

    public MemberAddress? Find(ulong node) => Addresses().FirstOrDefault(address => address.Node == node);

    public MemberAddress? FindByPeerUrl(string peerUrl) =>
        Addresses().FirstOrDefault(address => address.PeerUrl == peerUrl);

    /// <summary>Every member with all that is known of its addresses.</summary>
    public IEnumerable<MemberAddress> Addresses() =>
        context.Kvorum.Status.Members.Select(member => context.AddressOf(member));

    public string NameOf(ulong node, MemberAddress? added) =>
        added is not null && added.Node == node ? added.Name : context.NameOf(node);
}
