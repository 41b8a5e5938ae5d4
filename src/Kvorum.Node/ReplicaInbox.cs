using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// The border between callers on any thread and the replica: everything that waits for the replica's next turn.
/// Commands are encoded straight into shared chunks, so a waiting proposal costs no buffer of its own. Bounded: what
/// does not fit is refused to the caller, or dropped where the protocol repeats itself.
/// </summary>
internal sealed class ReplicaInbox(int callersMax, long bytesMax)
{
    /// <summary>The most messages of peers waiting; more are dropped as a network would.</summary>
    public const int MessagesMax = 65_536;

    private const int ChunkBytes = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly List<PendingAdmin> _noAdmins = [];
    private List<Input> _inputs = [];
    private List<PendingRead> _reads = [];
    private List<PendingAdmin> _admins = [];
    private ProposalBatch _proposals = new();
    private byte[] _chunk = [];
    private int _chunkUsed;
    private int _messages;
    private int _callersHeld;
    private int _readsHeld;
    private long _bytesHeld;
    private string? _closedBecause;

    /// <summary>Messages dropped because the replica fell behind.</summary>
    public long Dropped { get; private set; }

    /// <summary>Encodes and queues a command.</summary>
    /// <exception cref="OverloadedException">Too many callers or bytes wait.</exception>
    /// <exception cref="NodeStoppedException">The inbox was closed.</exception>
    public void Add(Command command, PendingProposal waiter)
    {
#if MUTANTS
        command = AddFirstPart(command, waiter);
#endif
        var size = CommandCodec.Size(command);
        lock (_lock)
        {
            ThrowIfClosed();
            if (_proposals.Count + _callersHeld >= callersMax || _proposals.Bytes + _bytesHeld + size > bytesMax)
            {
                throw new OverloadedException("the proposal queue");
            }

            var slot = Reserve(size);
            CommandCodec.Encode(command, slot.Span);
            _proposals.Add(slot, waiter);
        }
    }

#if MUTANTS
    private const int OperationsInBatchMax = 16;
    private int _operationsInBatch;

    /// <summary>Mutant 57: a transaction that a batch of 16 operations has no room for is cut at its end.</summary>
    private Command AddFirstPart(Command command, PendingProposal waiter)
    {
        var count = command is Txn txn ? txn.Then.Count : 1;
        _operationsInBatch += count;
        if (_operationsInBatch <= OperationsInBatchMax)
        {
            return command;
        }

        _operationsInBatch = 0;
        if (!NodeMutants.TransactionSplit || command is not Txn { Compares.Count: 0, Session: null } whole || count < 2)
        {
            return command;
        }

        waiter.FirstPart = new PendingProposal(waiter.DeadlineTick);
        Add(whole with { Then = [.. whole.Then.Take(count - 1)] }, waiter.FirstPart);
        return whole with { Then = [whole.Then[count - 1]] };
    }
#endif

    /// <summary>Queues a linearizable read.</summary>
    public void Add(PendingRead read)
    {
        lock (_lock)
        {
            ThrowIfClosed();
            if (_reads.Count + _readsHeld >= callersMax)
            {
                throw new OverloadedException("the read queue");
            }

            _reads.Add(read);
        }
    }

    /// <summary>Queues a wish to change the members or the leader.</summary>
    public void Add(PendingAdmin wish)
    {
        lock (_lock)
        {
            ThrowIfClosed();
            if (_admins.Count >= AdminDesk.WishesMax)
            {
                throw new OverloadedException("the queue of changes");
            }

            _admins.Add(wish);
        }
    }

    /// <summary>Takes the wishes that wait.</summary>
    public List<PendingAdmin> DrainAdmins()
    {
        lock (_lock)
        {
            if (_admins.Count == 0)
            {
                return _noAdmins;
            }

            var admins = _admins;
            _admins = [];
            return admins;
        }
    }

    /// <summary>Queues an input that must not be lost.</summary>
    public void Add(Input input)
    {
        lock (_lock)
        {
            _inputs.Add(input);
        }
    }

    /// <summary>Queues a peer's message, or drops it when too many wait or nobody will take it any more.</summary>
    public void AddMessage(Receive input)
    {
        lock (_lock)
        {
            if (_messages >= MessagesMax || _closedBecause is not null)
            {
                Dropped++;
                return;
            }

            _messages++;
            _inputs.Add(input);
        }
    }

    /// <summary>Takes everything that waits; the lists given are emptied and become the inbox's next ones.</summary>
    public void Drain(ref List<Input> inputs, ref List<PendingRead> reads, out ProposalBatch? proposals)
    {
        inputs.Clear();
        reads.Clear();
        lock (_lock)
        {
            (inputs, _inputs) = (_inputs, inputs);
            (reads, _reads) = (_reads, reads);
            _readsHeld += reads.Count;
            _messages = 0;
            proposals = null;
            if (_proposals.Count > 0)
            {
                proposals = _proposals;
                _callersHeld += proposals.Count;
                _bytesHeld += proposals.Bytes;
                _proposals = new ProposalBatch();
            }
        }
    }

    /// <summary>A drained batch, or part of it, left the replica's hold: its places are free again.</summary>
    public void Release(int callers, long bytes)
    {
        lock (_lock)
        {
            _callersHeld -= callers;
            _bytesHeld -= bytes;
        }
    }

    /// <summary>The replica holds a command of its own, which no caller brought.</summary>
    public void Hold(long bytes)
    {
        lock (_lock)
        {
            _callersHeld++;
            _bytesHeld += bytes;
        }
    }

    /// <summary>
    /// How many drained reads still wait, for a leader, a quorum or the state machine. Replica's thread, which alone
    /// changes that number.
    /// </summary>
    public void HoldReads(int reads)
    {
        if (_readsHeld == reads)
        {
            return;
        }

        lock (_lock)
        {
            _readsHeld = reads;
        }
    }

    /// <summary>From now on callers hear that the node has stopped.</summary>
    public void Close(string because)
    {
        lock (_lock)
        {
            _closedBecause ??= because;
        }
    }

    private void ThrowIfClosed()
    {
        if (_closedBecause is not null)
        {
            throw new NodeStoppedException(_closedBecause);
        }
    }

    private Memory<byte> Reserve(int size)
    {
        if (size > ChunkBytes / 4)
        {
            return new byte[size];
        }

        if (_chunkUsed + size > _chunk.Length)
        {
            // The full chunk lives on in the slices that were handed out.
            _chunk = new byte[ChunkBytes];
            _chunkUsed = 0;
        }

        var slot = _chunk.AsMemory(_chunkUsed, size);
        _chunkUsed += size;
        return slot;
    }
}
