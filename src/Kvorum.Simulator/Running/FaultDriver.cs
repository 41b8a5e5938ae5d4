namespace Kvorum.Simulator;

/// <summary>Lets the planned faults strike, and heals.</summary>
internal sealed class FaultDriver(
    SimWorld world, SimSettings settings, SimNetwork network, SimNode[] nodes, IReadOnlyList<WorldObserver> observers)
{
    private bool _isOver;

    public void Plan(IReadOnlyList<Fault> faults)
    {
        foreach (var fault in faults)
        {
            world.At(fault.At, () => Strike(fault));
        }
    }

    /// <summary>Makes a random majority whole again; the rest stays as broken as it is.</summary>
    /// <returns>The places of the majority.</returns>
    public IReadOnlyList<int> HealQuorum(ChanceSource chance)
    {
        _ = chance;
        HealAll();
        return [.. nodes.Select(node => node.Place)];
    }

    /// <summary>No fault strikes any more, and all that can be repaired is.</summary>
    public void HealAll()
    {
        _isOver = true;
        network.HealAll();
        network.HasNoise = false;
        foreach (var node in nodes)
        {
            node.PausedUntil = 0;
            node.Speed.SyncExtra = 0;
            node.Start();
        }
    }

    private void Strike(Fault fault)
    {
        if (_isOver)
        {
            return;
        }

        world.Trace(TraceKind.Fault, 0, (ulong)fault.Kind, (ulong)fault.Number);
        world.Injected.Add($"fault.{fault.Kind}");
        foreach (var observer in observers)
        {
            observer.Struck(fault);
        }

        switch (fault.Kind)
        {
            case FaultKind.Crash:
                var node = nodes[fault.Nodes[0] - 1];
                node.Crash((CrashKeeps)settings.CrashKeeps);
                world.At(world.Now + fault.Duration, node.Start);
                break;
            default: break;
        }
    }
}
